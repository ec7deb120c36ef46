// Package oldpath lets an application of before, which knows no fence and saves files without conditions,
// write while dbmigrate moves its users. Tests run it briefly; scripts/soak for as long as one likes.
package oldpath

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/dbmigrate/dbmigrate/internal/testkit/harness"
	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
	"github.com/dbmigrate/dbmigrate/pkg/kv"
	"github.com/dbmigrate/dbmigrate/pkg/r2"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// What the backend does, and what the operator says of it.
const (
	writersPerUser = 4
	upload         = 500 * time.Millisecond // the longest pause between loading a file and saving it
	longestRequest = "10s"                  // with the load and the save themselves, on a busy machine
	giveUpAfter    = 3 * time.Second        // a request that is older saves nothing: the backend keeps its word
	staleFor       = 3 * time.Second        // for so long a flag that was read once may be believed
)

// The ways that a write may take.
const (
	oldPath = "old path"
	router  = "router"
)

// backend is an application that is no Worker: it loads a user's file over S3 for each request, changes it
// with SQLite, and saves whatever is there by then. It serialises the requests of one user by a lock of its
// own, so that by itself it loses nothing. It asks the flag first: where there is one the statements go to
// the router. The lock covers the flag's read and the old path only.
type backend struct {
	files *r2.Client
	flags *kv.Client
	dir   string
	users []*client
}

// client is one user as the backend knows it.
type client struct {
	*harness.User
	b    *backend
	lock sync.Mutex

	mu      sync.Mutex
	next    int
	acked   map[int]string // which way each acknowledged write took
	refused int
}

// belief is what one process of the backend last read of a user's flag.
type belief struct {
	moved bool
	until time.Time
}

var number atomic.Int64

// newBackend is a backend with so many users, each with image as the file. What it needs besides lies in dir.
func newBackend(cloud *stack.Stack, image []byte, dir string, users int) (*backend, error) {
	files, err := harness.Bucket(cloud)
	if err != nil {
		return nil, err
	}
	flags, err := kv.New(
		kv.Config{
			AccountID:   "local",
			NamespaceID: cloud.NamespaceID,
			Token:       "local",
			BaseURL:     cloud.KVBaseURL,
		},
	)
	if err != nil {
		return nil, err
	}
	b := &backend{files: files, flags: flags, dir: dir}
	for range users {
		name := fmt.Sprintf("old-path-%d", number.Add(1))
		if _, err := files.Put(context.Background(), harness.Key(name), bytes.NewReader(image), int64(len(image)), userdb.PutOptions{}); err != nil {
			return nil, err
		}
		b.users = append(b.users, &client{User: harness.UserOf(cloud, name), b: b, acked: map[int]string{}})
	}
	return b, nil
}

func (b *backend) names() []string {
	names := make([]string, len(b.users))
	for i, u := range b.users {
		names[i] = u.Name
	}
	return names
}

// work writes as several writers of each user, without a pause, until the returned function is called.
func (b *backend) work() (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	for _, u := range b.users {
		for range writersPerUser {
			wg.Go(func() {
				var flag belief
				for {
					select {
					case <-done:
						return
					default:
						u.write(&flag)
					}
				}
			})
		}
	}
	return func() {
		close(done)
		wg.Wait()
	}
}

// write is one request. What is refused is not acknowledged, and is not sent again.
func (u *client) write(flag *belief) {
	u.mu.Lock()
	n := u.next
	u.next++
	u.mu.Unlock()
	way, err := u.send(flag, n)
	u.mu.Lock()
	defer u.mu.Unlock()
	if err != nil {
		u.refused++
		return
	}
	u.acked[n] = way
}

func (u *client) send(flag *belief, n int) (way string, err error) {
	u.lock.Lock()
	moved, err := u.isMoved(flag)
	if err != nil || !moved {
		defer u.lock.Unlock()
		if err == nil {
			err = u.saveOldPath(n)
		}
		return oldPath, err
	}
	u.lock.Unlock()
	return router, u.Try("insert into entries(n) values (?)", n)
}

// isMoved reads the flag, or believes what it read a while ago: KV does the same.
func (u *client) isMoved(flag *belief) (bool, error) {
	if time.Now().Before(flag.until) {
		return flag.moved, nil
	}
	found, err := u.b.flags.Get(context.Background(), []userdb.UserID{userdb.UserID(u.Name)})
	if err != nil {
		return false, err
	}
	*flag = belief{moved: len(found) > 0, until: time.Now().Add(time.Duration(rand.Int64N(int64(staleFor))))}
	return flag.moved, nil
}

// pending is a changed file that was not saved yet.
type pending []byte

// load begins a request of the old path: SQLite refuses to write what is fenced.
func (u *client) load(n int) (pending, error) {
	var content bytes.Buffer
	if _, err := u.b.files.Get(context.Background(), harness.Key(u.Name), "", &content); err != nil {
		return nil, err
	}
	return insertInto(filepath.Join(u.b.dir, u.Name), content.Bytes(), n)
}

// save ends it, without a condition.
func (u *client) save(p pending) error {
	_, err := u.b.files.Put(
		context.Background(),
		harness.Key(u.Name),
		bytes.NewReader(p),
		int64(len(p)),
		userdb.PutOptions{},
	)
	return err
}

func (u *client) saveOldPath(n int) error {
	begun := time.Now()
	p, err := u.load(n)
	if err != nil {
		return err
	}
	time.Sleep(time.Duration(rand.Int64N(int64(upload))))
	if time.Since(begun) > giveUpAfter {
		return errors.New("it is too late to save")
	}
	return u.save(p)
}

func insertInto(path string, content []byte, n int) ([]byte, error) {
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return nil, err
	}
	_, err = db.Exec("insert into entries(n) values (?)", n)
	if err := errors.Join(err, db.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// account is what became of the requests.
type account struct{ oldPath, router, refused, lost int }

// audit looks for every acknowledged write, on whichever side serves. Errors name those that are lost.
func (b *backend) audit() (account, error) {
	var a account
	var lost []error
	for _, u := range b.users {
		rows, err := u.Query("read", "select n from entries")
		if err != nil {
			return a, err
		}
		there := map[int]bool{}
		for _, row := range rows {
			there[int(row[0].(float64))] = true
		}
		u.mu.Lock()
		for n, way := range u.acked {
			if way == oldPath {
				a.oldPath++
			} else {
				a.router++
			}
			if !there[n] {
				a.lost++
				lost = append(
					lost,
					fmt.Errorf("%s: write %d was acknowledged by the %s and is lost", u.Name, n, way),
				)
			}
		}
		a.refused += u.refused
		u.mu.Unlock()
	}
	return a, errors.Join(lost...)
}
