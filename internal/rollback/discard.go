package rollback

import (
	"context"
	"fmt"

	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/prompt"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
)

// discardWords are what has to be typed. They say what is lost, and which user loses it, so that no shell
// history repeats them for another.
func discardWords(users []inspect.Found) string {
	if len(users) == 1 {
		return fmt.Sprintf("discard the writes of %s", users[0].User)
	}
	var named []string
	for _, f := range users {
		named = append(named, string(f.User))
	}
	return fmt.Sprintf("discard the writes of %d users %s", len(users), prompt.NameOf(named))
}

// ConfirmDiscard says what would be left behind and asks for it in words.
func ConfirmDiscard(
	ctx context.Context,
	c *connect.Chosen,
	o migrate.RollbackOptions,
	confirm string,
	p prompt.Prompt,
	warn func(string, ...any),
) error {
	if err := sayLeftBehind(ctx, c.Engine, c.Users, o.StoreUnreachable, warn); err != nil {
		return err
	}
	warn("%s", whereLeftBehind(o))
	return p.Confirm(ctx, "discard writes", discardWords(c.Users), confirm)
}

func whereLeftBehind(o migrate.RollbackOptions) string {
	switch {
	case o.WithoutCopy:
		return "it is not saved (--without-copy)"
	case o.StoreUnreachable:
		return "it is saved as SQLite files under .dbmigrate/left-behind/ in the bucket, except where the Durable Object does not answer: there nothing can be saved now"
	}
	return "it is saved as SQLite files under .dbmigrate/left-behind/ in the bucket"
}
