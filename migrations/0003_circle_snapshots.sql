-- The state of a circle at some version, so that loading it reads few events.
-- A snapshot is a cache and may be missing, old, or deleted: the log alone decides.
-- schema_version is that of the state's JSON; a program that finds another one than
-- its own ignores the row.
CREATE TABLE circle_snapshots (
    circle_id      CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    version        INT NOT NULL,
    sequence       BIGINT UNSIGNED NOT NULL,
    schema_version INT UNSIGNED NOT NULL,
    state          JSON NOT NULL,
    PRIMARY KEY (circle_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;
