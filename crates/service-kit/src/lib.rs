//! What every service needs and none is about: configuration, telemetry, health, reflection, drain.
