"""Everything beyond the bus and the database: which hosts may be reached, with which secrets, and how."""
