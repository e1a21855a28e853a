-- The accounts of Circles, before the first migration and whenever a password
-- changes. An administrator runs it, behind a file with the passwords that nobody
-- else can read:
--
--   SET @circles_migrate = '…', @circles_command = '…', @circles_projector = '…';
--
--   cat passwords.sql deploy/sql/users.sql | mysql --user=root --password
--
-- Without one of them nothing is done but an error (give it to `mysql` as a file: an
-- interactive `SOURCE` goes on after an error). Only the account that migrates can do
-- anything after this. The services' rights are on single tables, which MySQL gives
-- only once these exist: see grants.sql.
--
-- Nobody is told to use TLS here, as it depends on the network. Where it is not
-- trusted: ALTER USER 'circles_command'@'%' REQUIRE SSL, and so on.

-- A statement that can't be prepared, unless all of them are there.
SET @circles_statement = IF(@circles_migrate IS NULL OR @circles_command IS NULL OR @circles_projector IS NULL, 'a password is missing', 'DO 0');
PREPARE circles FROM @circles_statement;
EXECUTE circles;

-- A password can be a variable in a prepared statement only.
SET @circles_statement = CONCAT('CREATE USER IF NOT EXISTS ''circles_migrate''@''%'' IDENTIFIED BY ', QUOTE(@circles_migrate));
PREPARE circles FROM @circles_statement;
EXECUTE circles;
SET @circles_statement = CONCAT('ALTER USER ''circles_migrate''@''%'' IDENTIFIED BY ', QUOTE(@circles_migrate));
PREPARE circles FROM @circles_statement;
EXECUTE circles;

SET @circles_statement = CONCAT('CREATE USER IF NOT EXISTS ''circles_command''@''%'' IDENTIFIED BY ', QUOTE(@circles_command));
PREPARE circles FROM @circles_statement;
EXECUTE circles;
SET @circles_statement = CONCAT('ALTER USER ''circles_command''@''%'' IDENTIFIED BY ', QUOTE(@circles_command));
PREPARE circles FROM @circles_statement;
EXECUTE circles;

SET @circles_statement = CONCAT('CREATE USER IF NOT EXISTS ''circles_projector''@''%'' IDENTIFIED BY ', QUOTE(@circles_projector));
PREPARE circles FROM @circles_statement;
EXECUTE circles;
SET @circles_statement = CONCAT('ALTER USER ''circles_projector''@''%'' IDENTIFIED BY ', QUOTE(@circles_projector));
PREPARE circles FROM @circles_statement;
EXECUTE circles;

DEALLOCATE PREPARE circles;
SET @circles_statement = NULL, @circles_migrate = NULL, @circles_command = NULL, @circles_projector = NULL;

-- Makes the database where it is missing, and its tables, and keeps the list of
-- migrations. It can also change rows, which a migration may have to.
GRANT CREATE, ALTER, DROP, INDEX, REFERENCES, SELECT, INSERT, UPDATE, DELETE
    ON circles.* TO 'circles_migrate'@'%';
