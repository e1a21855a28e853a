-- What the services may do, after `command-service migrate` made the tables. An
-- administrator runs it once, and again after an upgrade that changed this file.
--
-- The command service appends. Nobody but an administrator and a migration can
-- change or remove an event: not even a service that was broken into.
GRANT SELECT, INSERT ON circles.circle_events TO 'circles_command'@'%';
GRANT SELECT, UPDATE (last_sequence) ON circles.log_head TO 'circles_command'@'%';
GRANT SELECT, INSERT, UPDATE ON circles.circle_snapshots TO 'circles_command'@'%';
GRANT SELECT ON circles._sqlx_migrations TO 'circles_command'@'%';

-- The projector reads the log. Snapshots are the command service's own.
GRANT SELECT ON circles.circle_events TO 'circles_projector'@'%';
GRANT SELECT ON circles.log_head TO 'circles_projector'@'%';
GRANT SELECT ON circles._sqlx_migrations TO 'circles_projector'@'%';
