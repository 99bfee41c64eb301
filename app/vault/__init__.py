"""The one process that can open secrets: own folder, database and keys; it speaks with the centre as a client.

keys    the vault's folder and its private keys       index   the same number at two stations
reveal  showing one secret to one person              run     the process: takes what arrived, says what it found
"""
