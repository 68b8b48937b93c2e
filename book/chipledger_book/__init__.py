"""What ought to be there: rules, ledger and balance. Pure, no I/O.

Start reading at :mod:`chipledger_book.balance` (the answer), then
:mod:`chipledger_book.events` (what is written down) and :mod:`chipledger_book.catalogue`
(what a chip counts).
"""
