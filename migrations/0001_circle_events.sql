-- The log: every change of every circle, for ever. The only source of truth.
--
-- `sequence` is the order of commits, without holes. It is not AUTO_INCREMENT: such
-- numbers are given when a row is inserted, become visible in another order, and
-- are lost on a rollback, so whoever tails the log by them misses events. The next
-- number comes from log_head instead, whose row is held until the commit.
--
-- Ids are ASCII in binary collation: 36 bytes in an index instead of 144, compared
-- byte by byte.
--
-- UNIQUE(circle_id, version) is what makes optimistic concurrency hold even if every
-- program above it is wrong. UNIQUE(id) does the same for retries: the id of an event
-- is the request_id of the client, where one was given.
--
-- occurred_at is UTC.
CREATE TABLE circle_events (
    sequence    BIGINT UNSIGNED NOT NULL,
    id          CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    circle_id   CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    version     INT NOT NULL,
    event_type  VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    payload     JSON NOT NULL,
    metadata    JSON NOT NULL,
    occurred_at DATETIME(6) NOT NULL,
    PRIMARY KEY (sequence),
    UNIQUE KEY circle_events_id (id),
    UNIQUE KEY circle_events_circle_version (circle_id, version)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;
