-- The accounts of Circles, before the first migration and whenever a password
-- changes. An administrator runs it, after giving the passwords:
--
--   SET @circles_migrate = '…', @circles_command = '…', @circles_projector = '…';
--   SOURCE deploy/sql/users.sql
--
-- Without one of them nothing is done but an error. Only the account that migrates
-- can do anything after this. The services' rights are on single tables, which
-- MySQL gives only once these exist: see grants.sql.
--
-- Nobody is told to use TLS here, as it depends on the network. Where it is not
-- trusted: ALTER USER 'circles_command'@'%' REQUIRE SSL, and so on.

-- A password can be a variable in a prepared statement only. QUOTE of nothing is
-- the word NULL, which these statements do not take.
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
