"""Text <-> protobuf: it goes by the schema, and knows no kind of step, match, framing or fault.

document     a file's text becomes a message, with what is wrong in its form, and where everything in it stands
yaml_tree    YAML text to a tree of nodes that know their lines and columns
decode       such a tree to a message, guided by its descriptor
encode       a message to text again
"""
