"""Text <-> protobuf: it goes by the schema, and knows no kind of step, match, framing or fault.

document     a file's text to a message, its problems, and the line and column of each field
yaml_tree    YAML text to a tree of nodes that know their lines and columns
decode       such a tree to a message, guided by its descriptor; scalars: single values
schema       what descriptors say of files: choices, shorthand, words
encode       a message to text again
"""
