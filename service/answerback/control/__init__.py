"""The gRPC services and health."""
