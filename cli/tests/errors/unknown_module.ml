use std.optm.adam
use std.dist.{normal, nromal}
