//! The event log in MySQL: append, load, snapshots, tail, migrations.
