// Learning to reason: x is known, y is to come out, and the rationale z between them is latent. p(y | x) is the sum of p(z | x) over the
// rationales that come out right, so its derivative is the mean of that of log p(z | x) under the posterior of z.

/// A step of a Markov chain whose target is the proposal's distribution on what is accepted: the proposal, if it is, else the state.
fn independence_step(state, proposal, accepted) = if accepted { proposal } else { state }

/// Of each number the mean of the others.
fn mean_of_others(c: real[n]) -> real[n] = (sum(c) - c) / real(n - 1)

/// A number whose derivative estimates that of the mean of log p(y | x) over a batch (Phan, Hoffman, Dohan, Douglas, Le, Parisi, Sountsov,
/// Sutton, Vikram and Saurous 2023): of log p of what the memory holds after its step, where that is `right`, less that of the
/// proposals times the share of the others' proposals that were `accepted`. That share does not depend on the proposal, whose score has
/// the mean 0, so it takes nothing but noise; as the model gets better both terms become the same.
fn trice(log_p_memory: real[n], right: real[n], log_p_proposed: real[n], accepted: real[n]) =
  mean(right * log_p_memory) - mean(stop(mean_of_others(accepted)) * log_p_proposed)

/// The same without the control variate.
fn trice_without(log_p_memory: real[n], right: real[n]) = mean(right * log_p_memory)

/// Filtered imitation (Zelikman, Wu, Mu and Goodman 2022, without hints): the mean of log p over the proposals that were accepted.
fn star(log_p_proposed: real[n], accepted: real[n]) = sum(accepted * log_p_proposed) / max(sum(accepted), 1.0)
