let g = grad(objective, wrt: theta)                       // one draw, shared by both statements
update theta by -g using adam(lr: 1e-2)
minimize sqnorm(plug_in(g)) over critic using adam(lr: 1e-2)     // E|g|^2 = variance + a constant
