package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// topicConnection is the help topic about flags that only set an address; it marks them, too.
const topicConnection = "connection"

// addressFlags are in the help of the topic, and of no command.
var addressFlags = []string{
	"worker-url",
	"bucket",
	"kv-namespace",
	"account-id",
	"layout",
	"location-hint",
	"r2-jurisdiction",
	"r2-endpoint",
	"api-base-url",
}

// newConnectionTopic is a help topic: it cannot be run.
func newConnectionTopic(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   topicConnection,
		Short: "Flags and environment variables that say where everything is, and who you are",
		Long: "Every command takes these flags. dbmigrate reads flags, then the environment, then dbmigrate.toml (dbmigrate init\n" +
			"writes it), then the wrangler configuration from here upward. `dbmigrate doctor` shows what it found.\n\n" +
			"Flags:\n" + strings.TrimRight(
			addressFlagList(root.PersistentFlags()),
			"\n",
		) + "\n\n" +
			"Environment:\n" +
			"  DBMIGRATE_WORKER_URL, DBMIGRATE_BUCKET, DBMIGRATE_KV_NAMESPACE, CLOUDFLARE_ACCOUNT_ID, DBMIGRATE_LAYOUT,\n" +
			"  DBMIGRATE_LOCATION_HINT, DBMIGRATE_R2_JURISDICTION, AWS_ENDPOINT_URL_S3, CLOUDFLARE_API_BASE_URL\n" +
			"                     the same as the flags\n" +
			"  CLOUDFLARE_ENV     the same as --env; DBMIGRATE_PROFILE is the same as --profile\n" +
			"  DBMIGRATE_TOKEN    the Worker's admin secret\n" +
			"  CLOUDFLARE_API_TOKEN\n" +
			"                     for the flags in KV\n" +
			"  R2_ACCESS_KEY_ID, R2_SECRET_ACCESS_KEY\n" +
			"                     for the bucket; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY do, too, with AWS_SESSION_TOKEN\n" +
			"  CLOUDFLARE_ACCESS_CLIENT_ID, CLOUDFLARE_ACCESS_CLIENT_SECRET\n" +
			"                     where the Worker is behind Cloudflare Access",
	}
}

func isAddress(f *pflag.Flag) bool {
	_, marked := f.Annotations[topicConnection]
	return marked
}

func addressFlagList(flags *pflag.FlagSet) string {
	shown := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.VisitAll(func(f *pflag.Flag) {
		if isAddress(f) {
			shown.AddFlag(f)
		}
	})
	return shown.FlagUsagesWrapped(110)
}
