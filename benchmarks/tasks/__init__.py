"""The tasks of the field: data, networks of the kind and depth that papers train, their training."""
