/** `/v1/models` and `/v1/models/{model}`: the loaded model and the names it answers to. It is not deleted from here. */
import { type RouteConfig, z } from '@hono/zod-openapi'
import { Hono } from 'hono'
import { Failure } from '../failure.ts'
import { failures, jsonContent } from './document-parts.ts'
import { modelNames, requireModel } from './model-names.ts'
import type { HttpEnv, Parts } from './parts.ts'
import { Model, ModelList } from './response-schemas.ts'

export function modelRoutes(parts: Parts): Hono<HttpEnv> {
  const startedAtUnixSeconds = Math.floor(Date.now() / 1000)

  const describe = (id: string) => {
    const state = parts.engineState()
    const facts = state.phase === 'ready' ? state.facts : undefined
    // A Hub id begins with its owner; a plain directory has neither owner nor revision.
    const owner = facts?.revision ? parts.config.model.split('/', 1)[0] : undefined
    return {
      id,
      object: 'model' as const,
      created: facts?.readyAtUnixSeconds ?? startedAtUnixSeconds,
      owned_by: owner ?? 'local',
    }
  }

  return (
    new Hono<HttpEnv>()
      .get('/v1/models', (c) =>
        c.json({ object: 'list' as const, data: modelNames(parts.config).map(describe) }),
      )
      // Ids hold slashes: openai-node 5 and later escape them, openai-node 4 does not. Hono decodes the parameter.
      .get('/v1/models/:model{.+}', (c) => c.json(describe(requireModel(c.req.param('model'), parts.config))))
      .delete('/v1/models/:model{.+}', (c) => {
        const name = requireModel(c.req.param('model'), parts.config)
        throw new Failure(
          'model_not_deletable',
          `The model "${name}" is the one that is loaded; it cannot be deleted over HTTP. The setting MODEL chooses another.`,
          { param: 'model' },
        )
      })
  )
}

const NAMED = {
  params: z.object({
    model: z.string().openapi({ description: 'Slashes as they are, or escaped', example: 'whisper-1' }),
  }),
}

export const MODEL_PATHS: readonly RouteConfig[] = [
  {
    method: 'get',
    path: '/v1/models',
    summary: 'List the loaded model under all of its names',
    tags: ['OpenAI'],
    responses: { 200: { description: 'The model itself comes first', content: jsonContent(ModelList) } },
  },
  {
    method: 'get',
    path: '/v1/models/{model}',
    summary: 'Look up a model by one of its names',
    tags: ['OpenAI'],
    request: NAMED,
    responses: { 200: { description: 'The model', content: jsonContent(Model) }, ...failures(404) },
  },
  {
    method: 'delete',
    path: '/v1/models/{model}',
    summary: 'Refused: the loaded model stays',
    tags: ['OpenAI'],
    request: NAMED,
    responses: failures(403, 404),
  },
]
