"""Forward models of backscatter: one module a surface."""
