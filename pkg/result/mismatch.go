package result

import "github.com/dbmigrate/dbmigrate/pkg/userdb"

// Mismatch is the error of a comparison that found differences. Lines name them all; the error's text has the
// first few.
type Mismatch struct {
	Err   *userdb.Error
	Lines []string
}

func (m *Mismatch) Error() string { return m.Err.Error() }

func (m *Mismatch) Unwrap() error { return m.Err }
