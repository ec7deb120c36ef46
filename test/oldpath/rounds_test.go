package oldpath

import "flag"

var roundsFlag = flag.Int("rounds", 1, "how often users go there and back beside the backend")
