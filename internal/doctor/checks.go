package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/preconditions"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/r2"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

const (
	fixR2 = `give the token the R2 permission "Workers R2 Storage Bucket Item Write" (in the dashboard: Object Read & Write) for this bucket`
	fixKV = `give the API token the account permission "Workers KV Storage Write" (in the dashboard: Workers KV Storage: Edit)`
)

// checkR2 lists one key, reads the object's description and first bytes, and, if asked to, writes and deletes
// an object of its own.
func checkR2(ctx context.Context, c config.Config, writes bool, probe string) []Finding {
	client, err := connect.R2(c, nil)
	if err != nil {
		return []Finding{failed("r2", err, fixR2)}
	}
	before := time.Now()
	first, found, now, err := client.First(ctx, "")
	if err != nil {
		return []Finding{failed("r2", err, fixR2)}
	}
	list := []Finding{
		{Check: "r2", OK: true, Detail: "bucket " + c.Bucket + " at " + c.R2Endpoint + " can be listed"},
		checkR2Read(ctx, client, first, found),
		checkRules(ctx, "r2 lifecycle", preconditions.Lifecycle(client), c.Layout),
		checkRules(ctx, "r2 locks", preconditions.Locks(preconditions.LockReader(c)), c.Layout),
	}
	if writes {
		list = append(list, checkR2Write(ctx, client, userdb.ObjectKey(userdb.ReservedPrefix+"probe/"+probe))...)
	}
	return append(list, checkSkew("clock r2", "R2", now, middle(before))...)
}

func checkR2Read(ctx context.Context, client *r2.Client, first userdb.Object, found bool) Finding {
	const check = "r2 read"
	if !found {
		return notTried(check, "the bucket is empty")
	}
	if _, err := client.Head(ctx, first.Key); err != nil {
		return failed(check, err, fixR2)
	}
	if _, _, err := client.GetRange(ctx, first.Key, "", 0, 1); err != nil {
		return failed(check, err, fixR2)
	}
	return Finding{Check: check, OK: true, Detail: "objects can be read"}
}

// checkR2Write proves a PUT and, apart, a DELETE: a token may have one right and not the other.
func checkR2Write(ctx context.Context, client *r2.Client, key userdb.ObjectKey) []Finding {
	const text = "dbmigrate doctor --probe-writes\n"
	opts := userdb.PutOptions{IfNoneMatch: true}
	if _, err := client.Put(ctx, key, strings.NewReader(text), int64(len(text)), opts); err != nil {
		return []Finding{failed("r2 write", err, fixR2)}
	}
	written := Finding{Check: "r2 write", OK: true, Detail: "an object was written: " + string(key)}
	if err := client.Delete(ctx, key); err != nil {
		return []Finding{written, failed("r2 delete", err, fixR2)}
	}
	return []Finding{written, {Check: "r2 delete", OK: true, Detail: "it was deleted"}}
}

// checkKV lists a few flags with their metadata and, if asked to, writes and deletes a key of its own.
func checkKV(ctx context.Context, c config.Config, writes bool, probe string) []Finding {
	client, err := connect.KV(c, 0, nil)
	if err != nil {
		return []Finding{failed("kv", err, fixKV)}
	}
	before := time.Now()
	now, err := client.ProbeRead(ctx)
	if err != nil {
		return []Finding{failed("kv", err, fixKV)}
	}
	list := []Finding{
		{Check: "kv", OK: true, Detail: "namespace " + c.KVNamespace + " can be listed, with metadata"},
	}
	if writes {
		written := Finding{Check: "kv write", OK: true, Detail: "a key was written and deleted"}
		if err := client.ProbeWrite(ctx, probe); err != nil {
			written = failed("kv write", err, fixKV)
		}
		list = append(list, written)
	}
	return append(list, checkSkew("clock kv", "the Cloudflare API", now, middle(before))...)
}

// checkFileSaves says what the Worker says of an old path. Where the router saves files there is nothing to
// say.
func checkFileSaves(hello wire.Hello) []Finding {
	if err := preconditions.SavesAgree(hello, ""); err != nil {
		return []Finding{failed("file saves", err, preconditions.FixSaves)}
	}
	if hello.SavesFiles == nil || *hello.SavesFiles {
		return nil
	}
	return []Finding{
		{
			Check:  "file saves",
			OK:     true,
			Detail: "the router leaves them to an old path (savesFiles: false): migrate goes on as with --writers unconditional",
		},
	}
}

// checkParts says which optional parts the Worker is mounted without. Where it has all there is nothing to
// say.
func checkParts(hello wire.Hello) []Finding {
	lacks, unrouted := preconditions.Unmounted(hello)
	if unrouted != "" {
		err := fmt.Errorf("the Durable Objects have %s, and createRouter was not given it", unrouted)
		return []Finding{failed("parts", err, "give createRouter the parts that storeOptions names (docs/mount.md), and deploy")}
	}
	if preconditions.UntoldRouter(hello) {
		return []Finding{
			{
				Check: "parts",
				OK:    true,
				Detail: "the Durable Objects have split mode, and whether createRouter was given it is not known: " +
					"to split users, call it before handleAdmin (docs/mount.md)",
			},
		}
	}
	if lacks == "" {
		return nil
	}
	return []Finding{{Check: "parts", OK: true, Detail: "mounted without " + lacks + " (docs/mount.md)"}}
}

// checkWorkerLayout compares where the Worker's router looks for files with where dbmigrate does.
func checkWorkerLayout(hello wire.Hello, c config.Config) []Finding {
	switch hello.Layout {
	case "":
		return nil
	case c.Layout:
		return []Finding{{Check: "worker layout", OK: true, Detail: "the router looks for " + hello.Layout}}
	}
	return []Finding{
		{
			Check:  "worker layout",
			Detail: fmt.Sprintf("the Worker's router looks for %s, dbmigrate for %s", hello.Layout, c.Layout),
			Fix:    "pass --layout " + hello.Layout,
		},
	}
}

// middle is the best guess of when, by this machine's clock, a server looked at its own for an answer that
// took from before until now.
func middle(before time.Time) time.Time { return before.Add(time.Since(before) / 2) }

// checkSkew compares a server's clock with this machine's; nothing where the server does not tell.
func checkSkew(check, who string, server, local time.Time) []Finding {
	if server.IsZero() {
		return nil
	}
	skew := local.Sub(server).Abs().Round(time.Millisecond)
	detail := fmt.Sprintf("this machine is %s off %s", units.FormatDuration(skew), who)
	if skew > maxClockSkew {
		return []Finding{
			{
				Check:  check,
				Detail: detail,
				Fix:    "set the clock: R2 refuses requests that are 15 minutes off, and gc counts ages by it",
			},
		}
	}
	return []Finding{{Check: check, OK: true, Detail: detail}}
}
