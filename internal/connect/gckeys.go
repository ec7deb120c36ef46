package connect

import "github.com/dbmigrate/dbmigrate/pkg/userdb"

// KeysOfGC is the environment with the R2 keys of gc in place of the others, where there are some.
func KeysOfGC(getenv func(string) string) (func(string) string, error) {
	const idName, secretName = "DBMIGRATE_GC_ACCESS_KEY_ID", "DBMIGRATE_GC_SECRET_ACCESS_KEY"
	id, secret := getenv(idName), getenv(secretName)
	if id == "" && secret == "" {
		return getenv, nil
	}
	if id == "" || secret == "" {
		return nil, userdb.UsageError("read credentials", "", "only one of "+idName+" and "+secretName+" is set",
			"set both, or none")
	}
	return func(name string) string {
		switch name {
		case "R2_ACCESS_KEY_ID":
			return id
		case "R2_SECRET_ACCESS_KEY":
			return secret
		}
		return getenv(name)
	}, nil
}
