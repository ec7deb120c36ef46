/* The composite request `return` inside the Worker: worker/src/admin/composites/return.ts. It sends an operator's messages one after the
 * other, and needs the operator no more: that may have given up, or died, or begun another command. Two executions of one request run side
 * by side where it was repeated. One request is in the model at a time; meanwhile commands take the single steps. */

byte job;            /* the number of the request, and its claim's id; 0 while none runs */
byte jobs;           /* how many there were */
byte job_gen;        /* the gen that its sender saw */
int job_seen;        /* the version of the file that its sender saw */
byte job_done;       /* the request that was answered with success, until its sender has heard it */
byte executions;     /* of it that still run */

proctype Return() {
	byte g;
	bit last;        /* for `send`: it may die at any message */

	atomic {
		send(CLAIM_BACK, job_gen, job, 0);
		if
		:: IS(YES); g = job_gen + 1
		:: IS(LOST); goto over
		:: IS(UNKNOWN); goto over
		fi;
		/* The digest comes with the claim: what was imported, and nothing more. */
		if
		:: phase == EMPTY -> goto succeeded  /* another execution has released it */
		:: phase == SEALED && (content == receipt || RETURN_NOCOMPARE) -> skip
		:: else -> goto over
		fi
	};
	atomic {
		if
		:: RETURN_UNCOND -> send(PUT, 0, ANY, UNFENCED_FILE(BYTES(job_seen), g))
		:: else -> send(PUT, 0, job_seen, UNFENCED_FILE(BYTES(job_seen), g))
		fi;
		if
		:: IS(YES); goto release_it
		:: IS(LOST); goto landed
		:: IS(UNKNOWN); goto landed
		fi
	};
landed: atomic {
		if
		:: file == UNFENCED_FILE(BYTES(job_seen), g) || RETURN_NOLOOK -> skip
		:: else -> goto over
		fi
	};
release_it: atomic {
		send(RELEASE, g, 0, 0);
		if
		:: IS(YES); goto succeeded
		:: IS(STALE); goto over
		:: IS(REFUSED); goto over
		:: IS(UNKNOWN); goto over
		fi
	};
succeeded: job_done = job;
over:
crashed: atomic {
		executions--;
		if
		:: executions == 0 -> job = 0; job_gen = 0; job_seen = 0
		:: else -> skip
		fi
	}
}
