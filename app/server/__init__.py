"""The central server: takes events once, answers signed receipts, decides, tells decisions by a signed feed.

setup   keys and folder of a centre      routes   HTTP            run, embedded   as a process
intake  a batch of events, once each     decide   what is accepted, and the feed
"""
