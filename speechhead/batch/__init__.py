"""Many videos from one list: jobs, the folder that remembers them, the processes that do them, and the report."""
