"""Mutation testing: small changes are made in a copy of the code, one at a time, and tests must notice each.

    operators    which changes there are in a file: text for text, so that everything else keeps its place
    tables       what is put in the place of what
    syntax       questions to a syntax tree and its text
    choosing     all changes of the tree, the sample of a seed, and which of them are accepted
    mapping      which tests belong to a module, in the order in which they run
    running      copies of the tree, and a process per change, forked from one that has imported pytest already
    reporting    the progress, the table and the survivors

`python -m tools.mutants --help` says how to run it, CONTRIBUTING.md when.
"""
