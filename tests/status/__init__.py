"""The public status page and post-mortems: real incidents of a real town, on both stores."""
