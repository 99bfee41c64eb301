"""Evidence: recordings that show each later change. Encrypted fragments, a signed chain over them, recovery, proof.

A recording is a folder:

    journal.jsonl             one signed record a line, each holding the hash of the one before    (journal, ledger)
    part-0001-1f2e3d4c.bin    encrypted fragments one after another: fragment 0 is the MP4 header  (crypt, writer)
    reserve                   of a recording that stands alone: room for when the disk is full     (app.reserve)
    *.torn                    what a crash left unfinished; kept, listed in the chain, never used  (recover)
"""
