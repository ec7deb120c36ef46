package doctor

import (
	"context"
	"fmt"

	"github.com/dbmigrate/dbmigrate/internal/preconditions"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// checkRules is doctor's look at rules of one kind: one that covers a single user is that user's migrate to
// refuse.
func checkRules(ctx context.Context, check string, rules preconditions.Rules, template string) Finding {
	layout, err := userdb.ParseLayout(template)
	if err != nil {
		return failed(check, err, "")
	}
	if !rules.Told() {
		return notTried(check, "not known: this API tells no "+rules.Name+" rules")
	}
	harm, err := rules.Harm(ctx, preconditions.CoveringMany(layout))
	switch {
	case err != nil:
		return notTried(check, fmt.Sprintf("not known: %v; make sure that %s, or %s",
			preconditions.WithoutHint(err), rules.Sure, rules.Right))
	case harm != "":
		return Finding{Check: check, Detail: harm, Fix: rules.Fix}
	}
	return Finding{Check: check, OK: true, Detail: rules.None}
}
