"""What things are: functions, revisions, replicas, names, quantities, errors. Frozen structs, no I/O, no asyncio."""
