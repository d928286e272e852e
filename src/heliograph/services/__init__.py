"""The use cases: what people and providers can make happen."""
