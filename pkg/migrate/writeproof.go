package migrate

import (
	"context"
	"path"
	"strings"
	"sync"

	"github.com/dbmigrate/dbmigrate/internal/reserved"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// probeFolder holds, for the time of one request, the object that proves that the command can write.
const probeFolder = userdb.ReservedPrefix + "probe/"

// WriteProof is what is known of the right to PUT. One attempt is made at a time, and others who need it
// meanwhile wait for its result. A success is kept, and so is a refusal that every other user would meet.
// After any other failure the next user tries again.
type WriteProof struct {
	mu      sync.Mutex
	attempt *writeAttempt
	disk    diskSpace
}

type writeAttempt struct {
	ended chan struct{}
	err   error
}

// canWrite proves, before writes stop for a user, that the command may PUT the file that ends the stop.
func (e *Engine) canWrite(ctx context.Context) error {
	if e.WriteProof == nil {
		return e.tryToWrite(ctx)
	}
	return e.WriteProof.once(func() error { return e.tryToWrite(ctx) })
}

func (p *WriteProof) once(try func() error) error {
	p.mu.Lock()
	a := p.attempt
	if a != nil {
		p.mu.Unlock()
		<-a.ended
		return a.err
	}
	a = &writeAttempt{ended: make(chan struct{})}
	p.attempt = a
	p.mu.Unlock()
	a.err = try()
	if a.err != nil && !forEverybody(a.err) {
		p.mu.Lock()
		p.attempt = nil
		p.mu.Unlock()
	}
	close(a.ended)
	return a.err
}

// tryToWrite puts a small object, named like a user's file, and deletes it. That it cannot be deleted proves
// nothing about a PUT.
func (e *Engine) tryToWrite(ctx context.Context) error {
	const text = "dbmigrate proves that it can write before it stops a user's writes\n"
	key := userdb.ObjectKey(probeFolder + e.Run + "/" + path.Base(string(e.Layout.Key("probe"))))
	_, err := e.Files.Put(
		ctx,
		key,
		strings.NewReader(text),
		int64(len(text)),
		userdb.PutOptions{ContentType: "text/plain"},
	)
	if err != nil {
		return err
	}
	_ = reserved.Delete(context.WithoutCancel(ctx), e.Files, key)
	return nil
}

// forEverybody says whether a failed probe, which has no user's data in it, would fail for every user: the
// credential, or what is between here and R2, refuses every PUT.
func forEverybody(err error) bool {
	switch userdb.KindOf(err) {
	case userdb.Unauthorized, userdb.NotStored, userdb.ProtocolError:
		return true
	}
	return false
}
