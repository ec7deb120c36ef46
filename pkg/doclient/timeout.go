package doclient

import (
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// largeBytes is the size from which a database is worth remembering: what is smaller takes a few seconds.
const largeBytes = 64 << 20

// remember notes the size of a database, for the messages that work through all of it.
func (c *Client) remember(u userdb.UserID, s wire.Status) {
	if s.DatabaseBytes >= largeBytes {
		c.large.Store(u, s.DatabaseBytes)
	} else {
		c.large.Delete(u)
	}
}

// working gives a message the time that a step over the whole database takes: a wipe
// deletes a part of it, and an index or a census is one statement.
func (c *Client) working(m *call, atLeast int64) *call {
	size := atLeast
	if known, ok := c.large.Load(m.user); ok {
		size = max(size, known.(int64))
	}
	m.timeout += time.Duration(float64(c.timeouts.PerGiB) * float64(size) / (1 << 30))
	return m
}
