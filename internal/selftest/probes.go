package selftest

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

// probes are all of them: the conditional PUT first, because everything rests on it.
func probes() []Probe {
	return []Probe{
		{ID: "P1", Proves: "of 20 conditional PUTs at a time, over S3 and through the Worker, one succeeds", run: compareAndSwap},
		{ID: "P2", Proves: "a slow conditional PUT that a fast one overtakes fails", run: overtaken},
		{ID: "P4", Proves: "of 20 PUTs that create one key, one succeeds", run: creation},
		{ID: "P5", Proves: "If-Match on a missing key is refused", run: matchOnMissing},
		{ID: "P6", Proves: "a body that is not its MD5 is refused, and nothing is stored", run: wrongMD5},
		{ID: "P7", Proves: "the ETag is the MD5 of the bytes, over S3 and through the Worker", run: etags},
		{ID: "P13", Proves: "of two PUTs within 300 ms, the refused one is not applied", run: quickPair},
		{ID: "P14", Proves: "a listing gives back odd keys as they are", run: oddKeys},
		{ID: "P15", Proves: "metadata beyond ASCII and of 1,900 bytes comes back as it was", run: metadata},
		{ID: "P16", Proves: "a flag that was written is read", run: flags},
		{ID: "P18", Proves: "30 hellos name one version and one jurisdiction", run: hellos},
		{ID: "P20", Proves: "round trips of status", run: roundTrips},
		{ID: "P22", Proves: "a whole life with two writers loses no acknowledged write", run: life},
		{ID: "P9", Proves: "a digest of 1,000,000 rows ends in bounded steps", run: largeDigest, shared: "large user",
			Price: "about $2.10 (2,000,000 rows written, those of one index among them), and minutes"},
		{ID: "P10", Proves: "an index over 1,000,000 rows is built, and a wipe ends", run: largeDigest, shared: "large user",
			Price: "the same run as P9: about $2.10"},
		{ID: "P11", Proves: "the Worker marks files of 30 and 118 MB", run: largeMarks,
			Price: "under $0.01, and an upload of 148 MB"},
		{ID: "P3", Proves: "how late a PUT commits that was cut behind its body", NotHere: "needs a connection that is cut"},
		{ID: "P8", Proves: "every SQL function and limit that the object uses", NotHere: "the Worker's own tests, run on Cloudflare"},
		{ID: "P12", Proves: "64 imports of 10 MB at a time", NotHere: "a migrate of many users: `dbmigrate migrate --canary`"},
		{ID: "P17", Proves: "the bodies pass the public address", NotHere: "P22 sends them; a firewall shows as edge-blocked"},
		{ID: "P19", Proves: "an import goes on after a deploy", NotHere: "needs a deploy in its middle"},
		{ID: "P21", Proves: "what an emptied object costs", NotHere: "the bill shows it"},
	}
}

const (
	racers = 20
	rounds = 5
)

// race sends PUTs at a time, and demands that one succeeds and that its bytes are there.
func (l *lab) race(ctx context.Context, n int, put func(i int) error) (winner int, err error) {
	errs := make([]error, n)
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			errs[i] = put(i)
		})
	}
	close(start)
	all.Wait()
	winner = -1
	for i, err := range errs {
		switch {
		case err == nil && winner >= 0:
			return winner, fmt.Errorf("PUT %d and PUT %d succeeded, on one condition", winner, i)
		case err == nil:
			winner = i
		case userdb.KindOf(err) != userdb.Precondition && userdb.KindOf(err) != userdb.Throttled:
			return winner, err
		}
	}
	if winner < 0 {
		return winner, errors.New("none succeeded")
	}
	return winner, ctx.Err()
}

func compareAndSwap(ctx context.Context, l *lab) (string, error) {
	for round := range rounds {
		if err := l.swapOverS3(ctx, round); err != nil {
			return "", fmt.Errorf("over S3, round %d: %w", round, err)
		}
	}
	if l.Marker == nil || l.MarkBytes == 0 {
		return "", errors.New("the Worker has no bucket: mount the admin routes with one (docs/mount.md)")
	}
	for round := range rounds {
		if err := l.swapOnBothWays(ctx); err != nil {
			return "", fmt.Errorf("over S3 and through the Worker, round %d: %w", round, err)
		}
	}
	return fmt.Sprintf("%d rounds over S3, %d on both ways", rounds, rounds), nil
}

func (l *lab) swapOverS3(ctx context.Context, round int) error {
	key := userdb.ObjectKey(folder + "p1")
	seen, err := l.put(ctx, key, fmt.Appendf(nil, "round %d", round), userdb.PutOptions{})
	if err != nil {
		return err
	}
	time.Sleep(time.Second) // R2 takes one write a second of one key
	body := func(i int) []byte { return fmt.Appendf(nil, "round %d, racer %d", round, i) }
	winner, err := l.race(ctx, racers, func(i int) error {
		_, err := l.put(ctx, key, body(i), userdb.PutOptions{IfMatch: seen})
		return err
	})
	if err != nil {
		return err
	}
	got, _, err := l.get(ctx, key)
	if err == nil && !bytes.Equal(got, body(winner)) {
		return fmt.Errorf("racer %d succeeded, and the object is %q", winner, got)
	}
	return err
}

// swapOnBothWays lets the Worker's binding and S3 race for the synthetic user's file.
func (l *lab) swapOnBothWays(ctx context.Context) error {
	if err := l.fresh(ctx, 20_000); err != nil {
		return err
	}
	files := make([]*userfile.Copy, racers)
	for i := range files {
		file, err := l.Inspect().Source().Fetch(ctx, User)
		if err != nil {
			return err
		}
		defer file.Remove()
		files[i] = file
	}
	time.Sleep(time.Second)
	st, err := l.Stores.Status(ctx, User)
	if err != nil {
		return err
	}
	mark := userdb.Mark{Kind: userdb.StampMark, Stamp: max(st.Gen, 1).Stamp()}
	etags := make([]userdb.ETag, racers)
	winner, err := l.race(ctx, racers, func(i int) (err error) {
		if i%2 == 0 {
			w := &userfile.Writer{Files: l.Files, Random: rand.Reader}
			etags[i], err = files[i].Remark(ctx, w, User, mark)
			return err
		}
		req, err := files[i].MarkMessage(mark, rand.Reader)
		if err == nil {
			etags[i], err = l.Marker.Mark(ctx, User, req)
		}
		return err
	})
	if err != nil {
		return err
	}
	head, err := l.Files.Head(ctx, l.key())
	if err == nil && head.ETag != etags[winner] {
		return fmt.Errorf("racer %d succeeded, and the object is another one", winner)
	}
	return errors.Join(err, l.removeUser(ctx))
}

// fresh puts a new file of the synthetic user where there is none.
func (l *lab) fresh(ctx context.Context, bytes int) error {
	if err := l.removeUser(ctx); err != nil {
		return err
	}
	content, err := l.makeDatabase(bytes, max(10, bytes/400))
	if err != nil {
		return err
	}
	_, err = l.put(ctx, l.key(), content, userdb.PutOptions{IfNoneMatch: true, ContentType: userfile.ContentType})
	return err
}

const (
	slowBytes = 40 << 20
	slowTakes = 6 * time.Second
)

// slow is a body that takes its time.
type slow struct {
	*bytes.Reader
	began chan struct{}
	once  sync.Once
}

func (s *slow) Read(p []byte) (int, error) {
	s.once.Do(func() { close(s.began) })
	n, err := s.Reader.Read(p)
	time.Sleep(slowTakes * time.Duration(n) / slowBytes)
	return n, err
}

func overtaken(ctx context.Context, l *lab) (string, error) {
	key := userdb.ObjectKey(folder + "p2")
	seen, err := l.put(ctx, key, []byte("first"), userdb.PutOptions{})
	if err != nil {
		return "", err
	}
	body := bytes.Repeat([]byte("slow "), slowBytes/5)
	sum := md5.Sum(body)
	late := &slow{Reader: bytes.NewReader(body), began: make(chan struct{})}
	done := make(chan error, 1)
	go func() {
		_, err := l.Files.Put(ctx, key, late, int64(len(body)), userdb.PutOptions{IfMatch: seen, MD5: sum[:]})
		done <- err
	}()
	select {
	case <-late.began:
	case err := <-done:
		return "", fmt.Errorf("the slow PUT ended before it began: %w", err)
	}
	time.Sleep(time.Second)
	if _, err := l.put(ctx, key, []byte("fast"), userdb.PutOptions{IfMatch: seen}); err != nil {
		return "", fmt.Errorf("the fast PUT: %w", err)
	}
	if err := <-done; userdb.KindOf(err) != userdb.Precondition {
		return "", fmt.Errorf("the slow PUT was not refused for its condition: %v", err)
	}
	got, _, err := l.get(ctx, key)
	if err == nil && string(got) != "fast" {
		err = fmt.Errorf("the object is not that of the fast PUT")
	}
	return fmt.Sprintf("%d MB in %s", slowBytes>>20, slowTakes), err
}

func creation(ctx context.Context, l *lab) (string, error) {
	for round := range rounds {
		key := userdb.ObjectKey(fmt.Sprintf("%sp4-%d", folder, round))
		if _, err := l.race(ctx, racers, func(i int) error {
			_, err := l.put(ctx, key, fmt.Appendf(nil, "racer %d", i), userdb.PutOptions{IfNoneMatch: true})
			return err
		}); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d rounds", rounds), nil
}

func matchOnMissing(ctx context.Context, l *lab) (string, error) {
	key := userdb.ObjectKey(folder + "p5")
	_, err := l.put(ctx, key, []byte("x"), userdb.PutOptions{IfMatch: `"` + userdb.ETag(strings.Repeat("0", 32)) + `"`})
	switch userdb.KindOf(err) {
	case userdb.Precondition, userdb.NotFound:
	default:
		return "", fmt.Errorf("it was not refused: %v", err)
	}
	if _, err := l.Files.Head(ctx, key); userdb.KindOf(err) != userdb.NotFound {
		return "", fmt.Errorf("the object is there: %v", err)
	}
	return string(userdb.KindOf(err)), nil
}

func wrongMD5(ctx context.Context, l *lab) (string, error) {
	key := userdb.ObjectKey(folder + "p6")
	sum := md5.Sum([]byte("another body"))
	_, err := l.put(ctx, key, []byte("a body"), userdb.PutOptions{MD5: sum[:]})
	if err == nil {
		return "", errors.New("it was taken")
	}
	if _, headErr := l.Files.Head(ctx, key); userdb.KindOf(headErr) != userdb.NotFound {
		return "", fmt.Errorf("refused (%w), and yet it is there", err)
	}
	return string(userdb.KindOf(err)), nil
}

func etags(ctx context.Context, l *lab) (string, error) {
	body := []byte("the bytes")
	sum := md5.Sum(body)
	etag, err := l.put(ctx, folder+"p7", body, userdb.PutOptions{})
	if err != nil {
		return "", err
	}
	if want := userdb.ETag(`"` + hex.EncodeToString(sum[:]) + `"`); etag != want {
		return "", fmt.Errorf("the ETag is %s, not %s", etag, want)
	}
	return "through the Worker by P1: it is compared with each mark", nil
}

func quickPair(ctx context.Context, l *lab) (string, error) {
	key := userdb.ObjectKey(folder + "p13")
	seen, err := l.put(ctx, key, []byte("first"), userdb.PutOptions{})
	if err != nil {
		return "", err
	}
	time.Sleep(time.Second)
	began := time.Now()
	second, err := l.put(ctx, key, []byte("second"), userdb.PutOptions{IfMatch: seen})
	if err != nil {
		return "", err
	}
	_, err = l.put(ctx, key, []byte("third"), userdb.PutOptions{IfMatch: seen})
	if err == nil {
		return "", errors.New("the second PUT on the same condition was taken")
	}
	took := time.Since(began)
	got, object, getErr := l.get(ctx, key)
	if getErr == nil && (string(got) != "second" || object.ETag != second) {
		return "", fmt.Errorf("the refused PUT was applied: %q", got)
	}
	return fmt.Sprintf("%s after %s", userdb.KindOf(err), took.Round(time.Millisecond)), getErr
}

func oddKeys(ctx context.Context, l *lab) (string, error) {
	prefix := folder + "p14/"
	var want []string
	for _, name := range []string{"a b", "a+b", "a%20b", "a&b<c>\"'", "ž🐎", "a//b", "..a", "a=b?c#d", "~"} {
		want = append(want, prefix+name)
		if _, err := l.put(ctx, userdb.ObjectKey(prefix+name), []byte(name), userdb.PutOptions{}); err != nil {
			return "", fmt.Errorf("%q: %w", name, err)
		}
	}
	var got []string
	err := l.Files.List(ctx, prefix, "", func(objects []userdb.Object, _ []string) error {
		for _, o := range objects {
			got = append(got, string(o.Key))
		}
		return nil
	})
	slices.Sort(want)
	slices.Sort(got)
	if err == nil && !slices.Equal(got, want) {
		err = fmt.Errorf("put %q, listed %q", want, got)
	}
	return fmt.Sprintf("%d keys", len(want)), err
}

func metadata(ctx context.Context, l *lab) (string, error) {
	key, want := userdb.ObjectKey(folder+"p15"), map[string]string{"odd": "ž 🐎 %20 =?", "long": strings.Repeat("x", 1900)}
	if _, err := l.put(ctx, key, []byte("x"), userdb.PutOptions{Metadata: want}); err != nil {
		return "", err
	}
	head, err := l.Files.Head(ctx, key)
	for name, value := range want {
		if err == nil && head.Metadata[name] != value {
			err = fmt.Errorf("%s came back as %.60q", name, head.Metadata[name])
		}
	}
	return "", err
}

func flags(ctx context.Context, l *lab) (string, error) {
	began := time.Now()
	if err := l.Flags.Put(ctx, []userdb.Flag{{User: User, Meta: userdb.FlagMeta{Version: userdb.FlagMetaVersion}}}); err != nil {
		return "", err
	}
	for time.Since(began) < 2*time.Minute {
		got, err := l.Flags.Get(ctx, []userdb.UserID{User})
		if err != nil {
			return "", err
		}
		if _, there := got[User]; there {
			return "seen after " + time.Since(began).Round(time.Millisecond).String(),
				l.Flags.Delete(ctx, []userdb.UserID{User})
		}
		time.Sleep(time.Second)
	}
	return "", errors.New("it was not seen for two minutes")
}

func hellos(ctx context.Context, l *lab) (string, error) {
	said := map[string]int{}
	for range 30 {
		hello, err := l.Worker().Hello(ctx)
		if err != nil {
			return "", err
		}
		where := "unknown"
		if hello.Object != nil {
			where = hello.Object.Jurisdiction
		}
		said[fmt.Sprintf("version %s, jurisdiction %s", hello.Worker, where)]++
	}
	if len(said) > 1 {
		return "", fmt.Errorf("they differ: %v", said)
	}
	for one := range said {
		return one, nil
	}
	return "", nil
}

func roundTrips(ctx context.Context, l *lab) (string, error) {
	var all []time.Duration
	for range 20 {
		began := time.Now()
		if _, err := l.Stores.Status(ctx, User); err != nil {
			return "", err
		}
		all = append(all, time.Since(began))
	}
	slices.Sort(all)
	return fmt.Sprintf("median %s, longest %s", all[len(all)/2].Round(100*time.Microsecond), all[len(all)-1].Round(100*time.Microsecond)), nil
}

func largeMarks(ctx context.Context, l *lab) (string, error) {
	var told []string
	for _, mb := range []int{30, 118} {
		if err := l.fresh(ctx, mb*1_000_000); err != nil {
			return "", err
		}
		file, err := l.Inspect().Source().Fetch(ctx, User)
		if err != nil {
			return "", err
		}
		st, err := l.Stores.Status(ctx, User)
		if err != nil {
			return "", err
		}
		req, err := file.MarkMessage(userdb.Mark{Kind: userdb.StampMark, Stamp: max(st.Gen, 1).Stamp()}, rand.Reader)
		began := time.Now()
		if err == nil {
			_, err = l.Marker.Mark(ctx, User, req)
		}
		file.Remove()
		if err != nil {
			return "", fmt.Errorf("%d MB: %w", mb, err)
		}
		told = append(told, fmt.Sprintf("%d MB in %s", mb, time.Since(began).Round(time.Millisecond)))
	}
	return strings.Join(told, ", "), l.removeUser(ctx)
}
