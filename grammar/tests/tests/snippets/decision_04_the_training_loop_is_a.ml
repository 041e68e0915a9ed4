stage vae = train b in train_set.shuffle().batch(128) for 10 epochs {
  maximize mean(for x in b.image { elbo(p() given {x}, q(x)) }) over encode, decode using adam(lr: 1e-3)
  every 1 epoch { log test_elbo = mean(for x in test_set.image { elbo(p() given {x}, q(x)) }) }
}
