package migrate

import (
	"bytes"
	"crypto/rand"
	"io"
	"os"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

// Every way out of a spooled file reads it once more. One that was changed, cut off or made longer after the
// download is not sent.
func TestASpoolThatChangedIsNotSent(t *testing.T) {
	content := append(header(), bytes.Repeat([]byte("rows of the user"), 1000)...)
	stone, err := userdb.Tombstone{Lin: 5, Non: 6, User: "alice", Receipt: []byte(`{}`)}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	mark := userdb.Mark{Kind: userdb.FenceMark, Lin: 7, Non: 7}
	ways := map[string]func(*Engine, *userfile.Copy) error{
		"fence": func(e *Engine, s *userfile.Copy) error {
			_, err := e.putFence(t.Context(), "alice", s, mark)
			return err
		},
		"fence, hashed ahead": func(e *Engine, s *userfile.Copy) error {
			if err := s.MarkAhead(mark, rand.Reader); err != nil {
				return err
			}
			_, err := e.putFence(t.Context(), "alice", s, mark)
			return err
		},
		"put back": func(e *Engine, s *userfile.Copy) error {
			_, err := e.replace(t.Context(), s, s.Version, mark)
			return err
		},
		"put whole": func(e *Engine, s *userfile.Copy) error {
			return s.PutAt(t.Context(), e.Files, "aside", userdb.PutOptions{})
		},
		"archive": func(e *Engine, s *userfile.Copy) error {
			return s.PutUnmarkedAt(t.Context(), e.Files, "archive/alice", userdb.PutOptions{})
		},
		"verify": func(_ *Engine, s *userfile.Copy) error { return s.Unchanged() },
	}
	changes := map[string]func(*testing.T, *os.File) error{
		"changed": func(_ *testing.T, f *os.File) error { _, err := f.WriteAt([]byte{1}, 60); return err },
		"cut off": func(_ *testing.T, f *os.File) error { return f.Truncate(50) },
		"longer":  func(_ *testing.T, f *os.File) error { _, err := f.Seek(0, io.SeekEnd); f.Write([]byte{0}); return err },
	}
	for object, raw := range map[string][]byte{"file": content, "tombstone": stone} {
		for way, send := range ways {
			if object == "tombstone" && way == "archive" {
				continue // gc archives files only
			}
			m := newMemory()
			m.put("alice/database.sqlite", raw, time.Now())
			e := m.engine(t)
			t.Run(object+", "+way, func(t *testing.T) {
				s := spooled(t, e)
				if err := send(e, s); err != nil {
					t.Errorf("not sent: %v", err)
				}
			})
			m.put("alice/database.sqlite", raw, time.Now())
			for name, change := range changes {
				t.Run(object+", "+way+", "+name, func(t *testing.T) {
					s, before := spooled(t, e), m.calls["R2 put"]
					f, err := os.OpenFile(s.Path, os.O_RDWR, 0)
					if err != nil {
						t.Fatal(err)
					}
					defer f.Close()
					if err := change(t, f); err != nil {
						t.Fatal(err)
					}
					if err := send(e, s); userdb.KindOf(err) != userdb.Mismatch {
						t.Errorf("%v", err)
					}
					if sent := m.calls["R2 put"] - before; sent > 0 {
						t.Errorf("%d PUTs", sent)
					}
				})
			}
		}
	}
}

func spooled(t *testing.T, e *Engine) *userfile.Copy {
	t.Helper()
	s, err := e.download(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Remove)
	return s
}
