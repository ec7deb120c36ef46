package userfile

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/preflight"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

func TestLargeFilesAreLookedAtFirst(t *testing.T) {
	small := make([]byte, userdb.HeaderBytes)
	copy(small, "SQLite format 3\x00")
	large := bytes.Clone(small)
	large[16], large[28] = 16, 1 // 2^24 pages of 4,096 bytes
	for name, c := range map[string]struct {
		head []byte
		more int
		ends bool
	}{
		"a large file":              {large, preflight.SkimBytes, true},
		"the beginning of one":      {large, preflight.SkimBytes - userdb.HeaderBytes, false},
		"a small file":              {small, preflight.SkimBytes, false},
		"no SQLite file":            {bytes.Repeat([]byte("x"), 100), preflight.SkimBytes, true},
		"a small one that is none":  {bytes.Repeat([]byte("x"), 100), 1000, false},
		"an empty object, or a bit": {nil, 3, false},
	} {
		for _, step := range []int{7, 64 << 10, 1 << 20} {
			t.Run(fmt.Sprint(name, " by ", step), func(t *testing.T) {
				rest, guard := append(
					c.head[:len(c.head):len(c.head)],
					make([]byte, c.more)...), &LargeFiles{}
				var err error
				for err == nil && len(rest) > 0 {
					n := min(step, len(rest))
					_, err = guard.Write(rest[:n])
					rest = rest[n:]
				}
				if (err == ErrLarge) != c.ends {
					t.Error(err)
				}
			})
		}
	}
}
