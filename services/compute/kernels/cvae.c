// The dense conditional VAE: encoder (pixels + classes) → … → mean and log-variance of z, decoder (z + classes) → …
// → pixels.
#include "chain.h"
#include "optimiser.h"
#include "vmath.h"

typedef struct {
  Chain encoder, decoder;
  Parameters parameters;
  Adam adam;
  int batch, pixels, classes, latent;
  // Filled by the host: [batch,pixels], [batch,K], [batch,latent].
  float *images, *conditions, *noise;
  // [batch,pixels]
  float *decoded;
  // [pixels]
  float *losses;
} Cvae;

EXPORT(cvae_new) Cvae *cvae_new(int batch, int pixels, int classes, int latent) {
  Cvae *c = arena_alloc(sizeof(Cvae));
  c->batch = batch;
  c->pixels = pixels;
  c->classes = classes;
  c->latent = latent;
  chain_begin(&c->encoder, batch, 1, 1, pixels + classes);
  chain_begin(&c->decoder, batch, 1, 1, latent + classes);
  return c;
}
EXPORT(cvae_add_encoder) void cvae_add_encoder(Cvae *c, int units, int activation) {
  chain_add_dense(&c->encoder, units, (Activation)activation);
}
EXPORT(cvae_add_decoder) void cvae_add_decoder(Cvae *c, int units, int activation) {
  chain_add_dense(&c->decoder, units, (Activation)activation);
}

// Allocates. The encoder must end with 2·latent linear units, the decoder with `pixels` linear ones.
EXPORT(cvae_finish)
void cvae_finish(Cvae *c, double beta1, double beta2, double epsilon, double weight_decay) {
  int encoder_count = chain_parameter_count(&c->encoder);
  parameters_allocate(&c->parameters, encoder_count + chain_parameter_count(&c->decoder));
  float *workspace = alloc_floats(gemm_workspace_floats());
  chain_finish(&c->encoder, &c->parameters, 0, 0, workspace);
  // Of the decoder's input only z comes from a layer.
  chain_finish(&c->decoder, &c->parameters, encoder_count, c->latent, workspace);
  adam_begin(&c->adam, beta1, beta2, epsilon, weight_decay);
  c->images = alloc_floats((usize)c->batch * c->pixels);
  c->conditions = alloc_floats((usize)c->batch * c->classes);
  c->noise = alloc_floats((usize)c->batch * c->latent);
  c->decoded = alloc_floats((usize)c->batch * c->pixels);
  c->losses = alloc_floats(c->pixels);
}

EXPORT(cvae_images) float *cvae_images(Cvae *c) { return c->images; }
EXPORT(cvae_conditions) float *cvae_conditions(Cvae *c) { return c->conditions; }
EXPORT(cvae_noise) float *cvae_noise(Cvae *c) { return c->noise; }
// Where `cvae_decode` takes [count, latent + K] from.
EXPORT(cvae_decoder_input) float *cvae_decoder_input(Cvae *c) { return chain_input(&c->decoder)->data; }
EXPORT(cvae_decoded) float *cvae_decoded(Cvae *c) { return c->decoded; }
EXPORT(cvae_parameters) Parameters *cvae_parameters(Cvae *c) { return &c->parameters; }
EXPORT(cvae_seek) void cvae_seek(Cvae *c, int steps) { adam_seek(&c->adam, steps); }

// rows of [left | right]
static void join(int count, const float *left, int left_width, const float *right, int right_width, float *out) {
  for (int i = 0; i < count; i++) {
    for (int j = 0; j < left_width; j++) *out++ = *left++;
    for (int j = 0; j < right_width; j++) *out++ = *right++;
  }
}

// z = mean + exp(log-variance / 2)·noise
static void sample(Cvae *c, int count) {
  const float *heads = chain_output(&c->encoder)->data;
  float *input = chain_input(&c->decoder)->data;
  int latent = c->latent, width = latent + c->classes;
  for (int i = 0; i < count; i++)
    for (int j = 0; j < latent; j++) {
      const float *head = heads + (usize)i * 2 * latent;
      input[(usize)i * width + j] = head[j] + s_exp(0.5f * head[latent + j]) * c->noise[(usize)i * latent + j];
    }
  for (int i = 0; i < count; i++)
    for (int j = 0; j < c->classes; j++)
      input[(usize)i * width + latent + j] = c->conditions[(usize)i * c->classes + j];
}

// Σ binary cross-entropy over the pixels, from logits: max(l,0) − l·x + log(1 + e^−|l|); its gradient σ(l) − x.
static double reconstruction(Cvae *c, int count) {
  Tensor *out = chain_output(&c->decoder);
  vf share = splat(1.0f / count);
  double total = 0;
  for (int i = 0; i < count; i++) {
    usize at = (usize)i * c->pixels;
    for (int j = 0; j < c->pixels; j += VW) {
      vf l = load(out->data + at + j), x = load(c->images + at + j);
      vf magnitude = (vf)((vi)l & splat_int(0x7fffffff));
      vf e = v_exp(-magnitude), whole = splat(1) + e;
      store(c->losses + j, blend(l < splat(0), splat(0), l) - l * x + v_log(whole));
      vf sigmoid = blend(l < splat(0), e, splat(1)) / whole;
      // The last vector may reach into the next row, which is written after it.
      store(out->gradient + at + j, (sigmoid - x) * share);
    }
    float row = 0;
    for (int j = 0; j < c->pixels; j++) row += c->losses[j];
    total += row;
  }
  return total / count;
}

// KL(q(z|x) ‖ N(0,I)) = −½ Σ (1 + log-variance − mean² − variance). Writes the heads' gradient: its own part plus
// what comes back through z.
static double divergence(Cvae *c, int count, int with_gradient) {
  const float *heads = chain_output(&c->encoder)->data;
  const float *dz = chain_input(&c->decoder)->gradient;
  float *d = chain_output(&c->encoder)->gradient;
  int latent = c->latent, width = latent + c->classes;
  double total = 0;
  for (int i = 0; i < count; i++)
    for (int j = 0; j < latent; j++) {
      float mean = heads[(usize)i * 2 * latent + j], log_variance = heads[(usize)i * 2 * latent + latent + j];
      float deviation = s_exp(0.5f * log_variance), variance = s_exp(log_variance);
      total += -0.5 * (1 + log_variance - mean * mean - variance);
      if (!with_gradient) continue;
      float through = dz[(usize)i * width + j];
      d[(usize)i * 2 * latent + j] = through + mean / count;
      d[(usize)i * 2 * latent + latent + j] =
          through * 0.5f * deviation * c->noise[(usize)i * latent + j] + 0.5f * (variance - 1) / count;
    }
  return total / count;
}

static double forward(Cvae *c, int count) {
  join(count, c->images, c->pixels, c->conditions, c->classes, chain_input(&c->encoder)->data);
  chain_forward(&c->encoder, count);
  sample(c, count);
  chain_forward(&c->decoder, count);
  return reconstruction(c, count) + divergence(c, count, 0);
}

static void backward(Cvae *c, int count) {
  chain_backward(&c->decoder, count);
  divergence(c, count, 1);
  chain_backward(&c->encoder, count);
}

// One optimiser step on the first `count` images. Returns the mean loss before it; where that isn't finite nothing
// is changed.
EXPORT(cvae_step) double cvae_step(Cvae *c, int count, double rate) {
  double loss = forward(c, count);
  if (!is_finite(loss)) return loss;
  backward(c, count);
  adam_step(&c->adam, &c->parameters, rate);
  return loss;
}

// The gradients of the mean loss, without a step: for tests.
EXPORT(cvae_gradients) double cvae_gradients(Cvae *c, int count) {
  double loss = forward(c, count);
  backward(c, count);
  return loss;
}

// The decoder's input → pixels.
EXPORT(cvae_decode) void cvae_decode(Cvae *c, int count) {
  chain_forward(&c->decoder, count);
  const float *logits = chain_output(&c->decoder)->data;
  for (usize i = 0; i < (usize)count * c->pixels; i += VW) store(c->decoded + i, v_sigmoid(load(logits + i)));
}
