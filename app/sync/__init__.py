"""Carries the outbox to the centre and the centre's decisions back, whenever there is a line.

client    HTTP with the centre           exchange  one round: push, then pull
pace      batch sizes and waits          worker    the thread that goes on with it
"""
