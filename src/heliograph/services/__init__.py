"""The use cases, one verb a file. Everything outside comes in as a port."""
