"""TLS by OpenSSL, over memory: nothing here reads from a socket.

private_files   reads files with keys, certificates and tokens
pairs           loads certificates and keys into contexts, and says what is wrong with them
contexts        a listener's contexts, one for each certificate
client          the context of connections to an upstream
channel         the TLS of one connection
failure_log     log lines about handshakes that have failed
material        the content of the files that a listener names
"""
