package userfile

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// saved is a bucket where a download is cut off in the middle, and the application saves before its rest.
type saved struct {
	Reader
	cuts, gets int
}

func (s *saved) Get(_ context.Context, key userdb.ObjectKey, _ userdb.ETag, w io.Writer) (userdb.Object, error) {
	s.gets++
	content := fmt.Appendf(bytes.Repeat([]byte("x"), 200), "version %d", s.gets)
	if s.gets <= s.cuts {
		w.Write(content[:150])
		return userdb.Object{}, &userdb.Error{Op: "get", Thing: string(key), Kind: userdb.Precondition}
	}
	_, err := w.Write(content)
	return userdb.Object{Key: key, Size: int64(len(content)), ETag: userdb.ETag(fmt.Sprint(s.gets))}, err
}

func TestACutDownloadBeginsAgainWithWhatWasSaved(t *testing.T) {
	var guards []*bytes.Buffer
	guard := func() io.Writer {
		guards = append(guards, new(bytes.Buffer))
		return guards[len(guards)-1]
	}
	layout, err := userdb.ParseLayout(userdb.DefaultLayout)
	if err != nil {
		t.Fatal(err)
	}
	s := &Source{Files: &saved{cuts: 2}, Layout: layout}
	file, err := s.FetchPast(t.Context(), "alice", guard)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Remove()
	content, err := os.ReadFile(file.Path)
	if err != nil || file.ETag != "3" || !strings.HasSuffix(string(content), "xversion 3") || len(content) != 209 {
		t.Errorf("version %s, %d bytes, %v", file.ETag, len(content), err)
	}
	if len(guards) != 3 || guards[0].Len() != 150 || guards[2].String() != string(content) {
		t.Errorf("%d guards; the last saw %d bytes", len(guards), guards[len(guards)-1].Len())
	}
}

func TestDownloadsThatAreAlwaysCutEnd(t *testing.T) {
	layout, err := userdb.ParseLayout(userdb.DefaultLayout)
	if err != nil {
		t.Fatal(err)
	}
	files := &saved{cuts: 1 << 30}
	_, err = (&Source{Files: files, Layout: layout}).Fetch(t.Context(), "alice")
	if userdb.KindOf(err) != userdb.Precondition || !strings.Contains(err.Error(), "cuts connections to R2") || files.gets != fetches {
		t.Errorf("%d downloads: %v", files.gets, err)
	}
}
