-- One row: the sequence of the last event. An append takes this row and holds it to
-- its commit, so appends of all replicas stand in one line, and whoever sees event n
-- sees all events before it.
CREATE TABLE log_head (
    id            TINYINT UNSIGNED NOT NULL,
    last_sequence BIGINT UNSIGNED NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT log_head_one_row CHECK (id = 1)
) ENGINE = InnoDB;

INSERT INTO log_head (id, last_sequence) VALUES (1, 0);
