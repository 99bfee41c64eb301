"""Keeps what the station took in: one encrypted database, written by one thread, whose audit log is the outbox.

store   what the rest of the station asks for          ledger  one transaction, one signed event
writer  the thread that alone touches it               seal    secrets to the vault key, duplicate index
verify  checks a folder, an export or a centre's log   db, keyfile, migrate, tables   the ground
"""
