package simulation

import (
	"context"
	"database/sql"
	"fmt"
)

// deployments are how many versions of the schema a life has.
const deployments = 6

// target is the version of the schema that a request's isolate knows; 0 where the application has none. Old
// deployments serve beside new ones.
func (l *life) target(id string) int {
	if !l.grows {
		return 0
	}
	return 1 + l.dice("schema of "+id, 0).IntN(deployments)
}

// grow runs the migrations that the database lacks, as routers and objects do at a user's next request. A
// migration that runs twice fails.
func grow(ctx context.Context, c *sql.Conn, target int) error {
	var version int
	if err := c.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	for step := version + 1; step <= target; step++ {
		statement := fmt.Sprintf("INSERT INTO grown VALUES (%d)", step)
		if step == 1 {
			statement = "CREATE TABLE grown (step INTEGER PRIMARY KEY); " + statement
		}
		if _, err := c.ExecContext(ctx, fmt.Sprintf("%s; PRAGMA user_version = %d", statement, step)); err != nil {
			return fmt.Errorf("migration %d: %w", step, err)
		}
	}
	return nil
}

// grown demands that each migration up to the database's version has run, on whichever side.
func grown(ctx context.Context, c *sql.Conn) error {
	var version, steps, last int
	if err := c.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil || version == 0 {
		return err
	}
	row := c.QueryRowContext(ctx, "SELECT count(*), max(step) FROM grown")
	if err := row.Scan(&steps, &last); err != nil {
		return err
	}
	if steps != version || last != version {
		return fmt.Errorf("version %d, and %d migrations up to %d", version, steps, last)
	}
	return nil
}
