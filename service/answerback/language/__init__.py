"""The meaning of a configuration: protobuf in, a core plan out.

A configuration's way through this room:

    files.read_files        what its `file` fields name is read
    check.check             everything that may be wrong with it, whether it came from a file or through the API
    lint.warnings           what is allowed, and probably not meant
    compile.compile_plan    the core plan that workers run

Each kind of `delays`, `faults`, `framing`, `matching` and `steps` is one file, beside its runtime in `core`; `registry`
says what a kind is. Workers import this room: neither yaml nor anything heavy comes with it.
"""
