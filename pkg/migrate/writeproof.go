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
	ended  chan struct{}
	err    error
	tidied chan struct{} // nothing is left of it
}

// canWrite proves, before writes stop for a user, that the command may PUT the file that ends the stop.
func (e *Engine) canWrite(ctx context.Context) error {
	if e.WriteProof == nil {
		return e.tryToWrite(ctx)
	}
	a, ours := e.WriteProof.begin()
	if ours {
		e.carryOut(ctx, a)
	}
	<-a.ended
	return a.err
}

// proveAhead begins to prove it while both sides are looked at. Whether it is needed, and what a failure
// means, shows later.
func (e *Engine) proveAhead(ctx context.Context) {
	if e.WriteProof == nil {
		return
	}
	if a, ours := e.WriteProof.begin(); ours {
		go e.carryOut(ctx, a)
	}
}

// begin is the attempt that counts; ours says that it is new, and the caller's to carry out.
func (p *WriteProof) begin() (a *writeAttempt, ours bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.attempt != nil {
		return p.attempt, false
	}
	p.attempt = &writeAttempt{ended: make(chan struct{}), tidied: make(chan struct{})}
	return p.attempt, true
}

// carryOut tries. Nobody waits for the deletion before writes stop, only the command at its end.
func (e *Engine) carryOut(ctx context.Context, a *writeAttempt) {
	a.err = e.putProof(ctx)
	if a.err != nil && !forEverybody(a.err) {
		e.WriteProof.drop()
	}
	close(a.ended)
	go func() {
		defer close(a.tidied)
		if a.err == nil {
			e.removeProof(ctx)
		}
	}()
}

// drop lets the next user try again.
func (p *WriteProof) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.attempt = nil
}

// settle waits until nothing is left of an attempt: a command ends with it.
func (p *WriteProof) settle() {
	if p == nil {
		return
	}
	p.mu.Lock()
	a := p.attempt
	p.mu.Unlock()
	if a != nil {
		<-a.tidied
	}
}

// tryToWrite is a proof that nobody else needs.
func (e *Engine) tryToWrite(ctx context.Context) error {
	err := e.putProof(ctx)
	if err == nil {
		e.removeProof(ctx)
	}
	return err
}

// putProof puts a small object, named like a user's file.
func (e *Engine) putProof(ctx context.Context) error {
	const text = "dbmigrate proves that it can write before it stops a user's writes\n"
	_, err := e.Files.Put(
		ctx,
		e.proofKey(),
		strings.NewReader(text),
		int64(len(text)),
		userdb.PutOptions{ContentType: "text/plain"},
	)
	return err
}

// removeProof deletes it. That it cannot be deleted proves nothing about a PUT.
func (e *Engine) removeProof(ctx context.Context) {
	_ = reserved.Delete(context.WithoutCancel(ctx), e.Files, e.proofKey())
}

func (e *Engine) proofKey() userdb.ObjectKey {
	return userdb.ObjectKey(probeFolder + e.Run + "/" + path.Base(string(e.Layout.Key("probe"))))
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
