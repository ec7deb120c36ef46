package split

import (
	"fmt"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// encodings are those that a header can name.
var encodings = map[string]capi.Encoding{
	"UTF-8":    capi.UTF8,
	"UTF-16le": capi.UTF16le,
	"UTF-16be": capi.UTF16be,
}

func text(s string) wire.Value { return wire.Value{Class: wire.Text, Bytes: []byte(s)} }

// execAll runs statements one after the other.
func execAll(conn *capi.Conn, statements ...string) error {
	for _, statement := range statements {
		if err := conn.Exec(statement); err != nil {
			return fmt.Errorf("%.200s: %w", statement, err)
		}
	}
	return nil
}

// number reads one integer, 0 where there is none.
func number(conn *capi.Conn, sql string) (n int64, err error) {
	err = conn.Query(sql, nil, func(s *capi.Stmt) error {
		n = s.Int(0)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("%.200s: %w", sql, err)
	}
	return n, nil
}

func flag(set bool) int64 {
	if set {
		return 1
	}
	return 0
}
