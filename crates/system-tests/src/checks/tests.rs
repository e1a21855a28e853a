//! Each check, held against planted faults.
