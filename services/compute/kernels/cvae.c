// The conditional VAE: encoder (image, class) → … → mean and log-variance of z, decoder (z, class) → … → logits of the
// pixels.
#include "optimiser.h"
#include "vmath.h"

typedef struct {
  Graph encoder, decoder;
  Optimiser optimiser;
  int batch, pixels, classes, latent;
  Tensor *heads, *latents, *logits;
  // Filled by the host: [batch,pixels], [batch,K], [batch,latent].
  float *images, *conditions, *noise;
  // Filled by the host for `cvae_decode`: [batch,latent]; conditions as above.
  float *given_latents;
  // [batch,pixels]
  float *decoded;
  // [pixels]
  float *losses;
} Cvae;

#define IMAGE 0
#define LATENT 0
#define CONDITION 1

// Tensor 0 of the encoder's graph is the image, of the decoder's z; tensor 1 of both is the condition.
EXPORT(cvae_new) Cvae *cvae_new(int batch, int height, int width, int channels, int classes, int latent) {
  Cvae *c = arena_alloc(sizeof(Cvae));
  c->batch = batch;
  c->pixels = height * width * channels;
  c->classes = classes;
  c->latent = latent;
  graph_begin(&c->encoder, batch);
  graph_input(&c->encoder, height, width, channels, 0);
  graph_input(&c->encoder, 1, 1, classes, 0);
  graph_begin(&c->decoder, batch);
  graph_input(&c->decoder, 1, 1, latent, 1);
  graph_input(&c->decoder, 1, 1, classes, 0);
  return c;
}

EXPORT(cvae_encoder) Graph *cvae_encoder(Cvae *c) { return &c->encoder; }
EXPORT(cvae_decoder) Graph *cvae_decoder(Cvae *c) { return &c->decoder; }

// Allocates. The encoder must end with 2·latent linear values, the decoder with `pixels` linear ones.
EXPORT(cvae_finish) void cvae_finish(Cvae *c) {
  int encoder_count = graph_parameter_count(&c->encoder), statistic_count = graph_statistic_count(&c->encoder);
  optimiser_allocate(&c->optimiser, encoder_count + graph_parameter_count(&c->decoder),
                     statistic_count + graph_statistic_count(&c->decoder), 0);
  float *workspace = alloc_floats(gemm_workspace_floats());
  graph_finish(&c->encoder, &c->optimiser.parameters, 0, 0, workspace);
  graph_finish(&c->decoder, &c->optimiser.parameters, encoder_count, statistic_count, workspace);
  c->heads = graph_output(&c->encoder);
  c->latents = &c->decoder.tensors[LATENT];
  c->logits = graph_output(&c->decoder);
  c->images = alloc_floats((usize)c->batch * c->pixels);
  c->conditions = alloc_floats((usize)c->batch * c->classes);
  c->noise = alloc_floats((usize)c->batch * c->latent);
  c->given_latents = alloc_floats((usize)c->batch * c->latent);
  c->decoded = alloc_floats((usize)c->batch * c->pixels);
  c->losses = alloc_floats(c->pixels);
}

EXPORT(cvae_images) float *cvae_images(Cvae *c) { return c->images; }
EXPORT(cvae_conditions) float *cvae_conditions(Cvae *c) { return c->conditions; }
EXPORT(cvae_noise) float *cvae_noise(Cvae *c) { return c->noise; }
EXPORT(cvae_latents) float *cvae_latents(Cvae *c) { return c->given_latents; }
EXPORT(cvae_decoded) float *cvae_decoded(Cvae *c) { return c->decoded; }
EXPORT(cvae_optimiser) Optimiser *cvae_optimiser(Cvae *c) { return &c->optimiser; }
EXPORT(cvae_seek) void cvae_seek(Cvae *c, int steps) {
  optimiser_seek(&c->optimiser, steps);
  c->encoder.step = c->decoder.step = steps;
}

static void place(const float *source, const Tensor *tensor, int count) {
  int line = tensor->width * tensor->channels;
  for (int n = 0; n < count; n++)
    for (int y = 0; y < tensor->height; y++, source += line) {
      float *target = plane_row(&tensor->value, tensor->channels, n, y);
      for (int i = 0; i < line; i++) target[i] = source[i];
    }
}

// z = mean + exp(log-variance / 2)·noise
static void sample(Cvae *c, int count) {
  const float *heads = c->heads->value.data;
  float *z = c->latents->value.data;
  int latent = c->latent;
  for (int i = 0; i < count; i++)
    for (int j = 0; j < latent; j++) {
      const float *head = heads + (usize)i * 2 * latent;
      z[(usize)i * latent + j] = head[j] + s_exp(0.5f * head[latent + j]) * c->noise[(usize)i * latent + j];
    }
}

// Σ binary cross-entropy over the pixels, from logits: max(l,0) − l·x + log(1 + e^−|l|); its gradient σ(l) − x.
static double reconstruction(Cvae *c, int count) {
  const float *logits = c->logits->value.data;
  float *gradient = c->logits->gradient.data;
  vf share = splat(1.0f / count);
  double total = 0;
  for (int i = 0; i < count; i++) {
    usize at = (usize)i * c->pixels;
    for (int j = 0; j < c->pixels; j += VW) {
      vf l = load(logits + at + j), x = load(c->images + at + j);
      vf magnitude = (vf)((vi)l & splat_int(0x7fffffff));
      vf e = v_exp(-magnitude), whole = splat(1) + e;
      store(c->losses + j, blend(l < splat(0), splat(0), l) - l * x + v_log(whole));
      vf sigmoid = blend(l < splat(0), e, splat(1)) / whole;
      // The last vector may reach into the next row, which is written after it.
      store(gradient + at + j, (sigmoid - x) * share);
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
  const float *heads = c->heads->value.data, *dz = c->latents->gradient.data;
  float *d = c->heads->gradient.data;
  int latent = c->latent;
  double total = 0;
  for (int i = 0; i < count; i++)
    for (int j = 0; j < latent; j++) {
      float mean = heads[(usize)i * 2 * latent + j], log_variance = heads[(usize)i * 2 * latent + latent + j];
      float deviation = s_exp(0.5f * log_variance), variance = s_exp(log_variance);
      total += -0.5 * (1 + log_variance - mean * mean - variance);
      if (!with_gradient) continue;
      float through = dz[(usize)i * latent + j];
      d[(usize)i * 2 * latent + j] = through + mean / count;
      d[(usize)i * 2 * latent + latent + j] =
          through * 0.5f * deviation * c->noise[(usize)i * latent + j] + 0.5f * (variance - 1) / count;
    }
  return total / count;
}

static double forward(Cvae *c, int count) {
  place(c->images, &c->encoder.tensors[IMAGE], count);
  place(c->conditions, &c->encoder.tensors[CONDITION], count);
  graph_forward(&c->encoder, count, MODE_TRAIN);
  sample(c, count);
  place(c->conditions, &c->decoder.tensors[CONDITION], count);
  graph_forward(&c->decoder, count, MODE_TRAIN);
  return reconstruction(c, count) + divergence(c, count, 0) + graph_penalty(&c->encoder) + graph_penalty(&c->decoder);
}

// Forward and backward of the first `count` images. Returns the mean loss, NaN where a gradient isn't finite; changes
// neither weights nor moving statistics.
EXPORT(cvae_backward) double cvae_backward(Cvae *c, int count) {
  double loss = forward(c, count);
  if (!is_finite(loss)) return loss;
  graph_backward(&c->decoder, count);
  divergence(c, count, 1);
  graph_backward(&c->encoder, count);
  return optimiser_has_finite_gradients(&c->optimiser) ? loss : __builtin_nan("");
}

// One optimiser step on the first `count` images. Returns the mean loss before it; where that isn't finite nothing
// is changed.
EXPORT(cvae_step) double cvae_step(Cvae *c, int count, double rate) {
  double loss = cvae_backward(c, count);
  if (!is_finite(loss)) return loss;
  graph_move_statistics(&c->encoder);
  graph_move_statistics(&c->decoder);
  optimiser_step(&c->optimiser, rate);
  c->encoder.step = ++c->decoder.step;
  return loss;
}

// z and conditions → pixels.
EXPORT(cvae_decode) void cvae_decode(Cvae *c, int count) {
  place(c->given_latents, c->latents, count);
  place(c->conditions, &c->decoder.tensors[CONDITION], count);
  graph_forward(&c->decoder, count, MODE_PREDICT);
  const float *logits = c->logits->value.data;
  for (usize i = 0; i < (usize)count * c->pixels; i += VW) store(c->decoded + i, v_sigmoid(load(logits + i)));
}
